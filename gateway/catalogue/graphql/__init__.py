"""The GraphQL schema: generated from a catalogue, with the types that every catalogue shares and those of acts."""
