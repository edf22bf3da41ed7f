"""Pages and plain HTTP routes beside the journey: metadata, health, metrics, the playground, the open catalogue."""
