"""How Dutybound is put on machines: the demo, and later the forms of a real installation."""
