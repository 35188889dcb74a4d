"""A first stack.yaml for a compose file of one's own: what can be read from it is filled in, what cannot is named."""
