"""From evidence to verdicts: the contract of a check, the judge, and questions about several drills."""
