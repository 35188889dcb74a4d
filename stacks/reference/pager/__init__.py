"""A pager that prints."""
