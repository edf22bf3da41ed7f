"""`/console/drafts...`: an officer's drafts of a rule set, from a copy of what is active to a proposal.

Nothing here decides: each page shows what `/rules/drafts` tells this person, and sends it what they wrote.
"""
