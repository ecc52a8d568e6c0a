"""How good a ranking is, and how healthy the codes are. Every metric has a function and a name of its own.

`relevance` says what counts as an answer; `tie_breaking` orders the database; `average_precision`,
`precision_at_cutoff` and `precision_recall_curve` judge one ranked order; `distance_histogram` feeds the measures that
do not depend on the order of ties: `hamming_radius` and `tie_expected_precision`. `code_health` looks at codes alone.
"""
