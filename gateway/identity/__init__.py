"""What a token is worth beyond its signature: whether its issuer still stands by it, and whether its holder holds it.

RFC 7662 introspection, RFC 9449 proofs of possession (DPoP), RFC 8705 client certificates. The first step of an inquiry
uses them; what a token says and whom it makes a requester is that step's affair.
"""
