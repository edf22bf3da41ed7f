"""`dutybound status`: how one gateway stands, on one screen, by its store, its files and its management address."""
