"""Dashboard panel: the number of objects of each kind."""

from datetime import datetime

from todo_project.admin.dashboard import Figures, Tile, estimated_tile, list_url, panel
from todo_project.db.counting import Sample

from .kinds import Kind, kinds


@panel("Objects", permission=None, order=90)
def objects(at: datetime) -> Figures:
    return [_tile(kind) for kind in kinds.values()]


def _tile(kind: Kind) -> Tile:
    """Includes the trash."""
    sample = Sample(kind.model.objects.all())
    number = sample.rows.count()
    return estimated_tile(
        kind.plural,
        sample.extrapolate({"all": number}, among=number)["all"],
        sample,
        url=list_url(kind.model),
    )
