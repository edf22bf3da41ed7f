"""Rule sets as they are kept, made active, read and followed: from a folder's files to what every process serves.

`archive.py` has files and their bytes, `loading.py` makes a rule set of them, `stored.py` reads which one is active,
and `activating.py` is the one act that makes one so. Left to others: who may propose and approve, and what is made of a
rule set for inquiries (`gateway.app`).
"""
