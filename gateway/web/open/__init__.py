"""`/open/catalogue`: the published catalogue, and how it came to be, as JSON, a page and DCAT-AP."""
