from pipeline.evaluation.label_relevance import label_names, label_numbers, relevance_of


def test_single_labels_are_relevant_when_equal() -> None:
    rows = relevance_of([("cat",), ("dog",)], [("dog",), ("cat",), ("cow",)])(slice(None))
    assert rows.tolist() == [[False, True, False], [True, False, False]]


def test_several_labels_are_relevant_when_one_is_shared() -> None:
    rows = relevance_of([("cat", "red"), ()], [("red", "car"), ("cow",), ("cat", "red")])(slice(None))
    assert rows.tolist() == [[True, False, True], [False, False, False]]


def test_numbers_follow_the_sorted_names() -> None:
    labels = [("dog",), ("cat",), ("dog",)]
    assert label_names(labels) == ("cat", "dog")
    assert label_numbers(labels, ("cat", "dog")).tolist() == [1, 0, 1]
