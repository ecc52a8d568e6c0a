"""Retrieval quality on named protocols, and the page that shows it.

A *protocol* (`retrieval_protocol`, `protocol_registry`) says which pictures are queries, which are the database and
what is relevant. `picture_features` turns them into features, `code_distances` ranks codes, `retrieval_measurement`
computes every metric of `metric_catalog`, `retrieval_report` is the record of one run, and `report_page` draws several
of them as one HTML file. `method_evaluation` fits and measures methods; `comparison_plan` says which ones a comparison
of all methods runs, `finished_run` keeps them, `method_comparison` puts them side by side for `comparison_page`.
"""
