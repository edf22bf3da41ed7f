"""`deploy/`: what operators take from it does what it says."""
