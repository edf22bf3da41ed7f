"""`dutybound serve`: processes on granian, or on uvicorn where client certificates are shown."""
