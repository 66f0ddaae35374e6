from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """After collectstatic names contain hashes. Without it they are plain and found in the packages."""

    def stored_name(self, name: str) -> str:
        return super().stored_name(name) if self.hashed_files else name
