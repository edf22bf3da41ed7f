"""What an inquiry costs, beside what others cost for the bare fan-out: `python -m tests.bench`, or `make bench`."""
