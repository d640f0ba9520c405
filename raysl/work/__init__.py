"""All that a cell needs, without Ray: read its data, train, fine-tune, evaluate, score, one cell after the other."""
