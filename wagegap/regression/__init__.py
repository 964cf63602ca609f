"""Premiums, rates, and the link between them."""
