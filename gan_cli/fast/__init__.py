"""What the machine offers: device, precision, layout, threads. The only place that speaks of it."""

from gan_cli.fast.bits import CUBLAS as CUBLAS
from gan_cli.fast.bits import SETTLED as SETTLED
from gan_cli.fast.bits import refused as refused
from gan_cli.fast.devices import pick_device as pick_device
from gan_cli.fast.graphs import Graphs as Graphs
from gan_cli.fast.graphs import compilable as compilable
from gan_cli.fast.graphs import recordable as recordable
from gan_cli.fast.hardware import Hardware as Hardware
from gan_cli.fast.hardware import as_settings as as_settings
from gan_cli.fast.passes import LEAST as LEAST
from gan_cli.fast.passes import Passes as Passes
from gan_cli.fast.quicken import computing as computing
from gan_cli.fast.quicken import quicken as quicken
from gan_cli.fast.speed import Speed as Speed
from gan_cli.fast.work import work_of as work_of
