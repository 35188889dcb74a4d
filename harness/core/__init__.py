"""What every package builds on: errors, the clock, the journal, statistics, and the base of declared values."""
