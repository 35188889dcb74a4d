"""One drill, from a stack that comes up to the record: the stages, and every way out."""
