"""The networks by name, for those who must not import TensorFlow: the one list that config and tests follow."""

NETWORKS = {  # name in the config: where its class is
    "columns": "cnnlib.network.architectures:Columns",
    "positions": "cnnlib.network.architectures:Positions",
    "classic": "cnnlib.network.architectures:Classic",
}
