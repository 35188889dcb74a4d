"""Reports show verdicts: text for people, JSON and JUnit for programs. Pure: every function returns, none prints."""
