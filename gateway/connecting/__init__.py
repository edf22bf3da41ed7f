"""Connecting departments: trying a mapping against the real system, taking in what is delivered, and watching both."""
