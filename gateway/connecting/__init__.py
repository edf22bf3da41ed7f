"""Connecting departments: trying a mapping against the real system, and watching it afterwards."""
