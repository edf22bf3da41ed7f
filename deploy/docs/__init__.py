"""The documentation site: its pages, and what `make docs` builds it with."""
