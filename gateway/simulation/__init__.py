"""What a candidate would decide: recorded inquiries decided again, and a dry run beside the active rule set.

Neither reads data, and neither can release anything: they see decisions and what those rest on, and give counts.
"""
