from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.evaluation.retrieval_protocol import ProtocolData


def _pictures(count: int) -> LabelledPictures:
    keys = tuple(f"{number:03}" for number in range(count))
    return LabelledPictures(keys=keys, labels=(("x",),) * count, read=lambda row: keys[row].encode())


def test_a_sample_of_queries_is_seeded_and_in_order() -> None:
    data = ProtocolData(database=_pictures(5), queries=_pictures(100))
    first, again, other = (data.with_fewer_queries(10, seed).queries.keys for seed in (1, 1, 2))
    assert first == again != other
    assert list(first) == sorted(set(first))
    assert len(first) == 10


def test_a_small_protocol_is_left_alone() -> None:
    data = ProtocolData(database=_pictures(5), queries=_pictures(3))
    assert data.with_fewer_queries(10, 0) is data


def test_relevance_is_of_queries_to_database() -> None:
    data = ProtocolData(database=_pictures(5), queries=_pictures(3))
    assert data.relevance()(slice(0, 2)).shape == (2, 5)
