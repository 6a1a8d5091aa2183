"""People and machines that use the API: who they are, how they come in, and what they may do where.

``roles`` decides who may do what; ``access`` is where every route says what it needs and where that is enforced.
"""
