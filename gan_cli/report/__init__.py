"""A run or a sweep as one page of HTML that opens offline: nothing in it is fetched.

Everything a page shows is read from files that others may have written: it is escaped where it is
text, and where it is data it stands in a block that no browser executes.
"""
