"""Maps of any size to maps of classes."""

from segnext.maps.prediction import MapOptions, PredictedMap, map_protocol, predict_map

__all__ = ["MapOptions", "PredictedMap", "map_protocol", "predict_map"]
