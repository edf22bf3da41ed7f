"""`dutybound serve`: its processes, its server, and what its connections may take."""
