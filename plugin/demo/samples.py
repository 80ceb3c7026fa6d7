from plugin.demo.area import Area


def seed(area: Area) -> None: ...
