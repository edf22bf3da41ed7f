"""An invented region that a newcomer can start with one command.

Five departments, an authorization server and two case registries, each a real server process on its own loopback port
with its own kind of storage; the gateway between them; and twelve scenes that show what it does. Everything about the
region's organisations and people is invented, and is the same on every machine for the same day.

Nothing here is part of the gateway: it uses the gateway's files, commands and HTTP interface, as an installation would.
"""
