"""Millions of pictures: split into shards, resumed by manifest, here or on a cluster."""

from segnext.predict.bulk.listing import Listed, is_bulk_source, is_url, list_pictures
from segnext.predict.bulk.ray_engine import predict_on_ray
from segnext.predict.bulk.run import Summary, predict_listed
from segnext.predict.bulk.shard import Shard
from segnext.predict.bulk.worker import Job, Outcome, Worker

__all__ = [
    "Job",
    "Listed",
    "Outcome",
    "Shard",
    "Summary",
    "Worker",
    "is_bulk_source",
    "is_url",
    "list_pictures",
    "predict_listed",
    "predict_on_ray",
]
