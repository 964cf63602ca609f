"""The link: rates on premiums, with the uncertainty of the first stage carried along."""
