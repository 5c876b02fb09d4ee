"""`make prove`: the product's promises, each tried as long as it takes to believe it.

Not for: rules of one part (`tests`). A module is one promise; it has `run(long) -> Result`. The
short form stands in the test suite too; the long one takes a while and is published in
docs/proof.md.
"""
