"""From raw multilingual text and code to packed token shards, every document accounted for."""
