"""The GraphQL documents that the add-on sends."""

_EPISODE = """
fragment EpisodeParts on Episode {
  __typename id guid name description number seasonNumber durationS releasedAt posterUrl
  project { __typename id slug name backdropUrl }
}
"""

_PROJECT = """
fragment ProjectParts on Project {
  __typename id slug name projectType description year posterUrl backdropUrl
  seasons { __typename id name number episodeCount episodes { __typename id guid } }
}
"""

_WATCH = """
fragment WatchParts on Episode { guid watchData { __typename id positionS watched } }
"""

PROJECTS = """
query Projects($projectType: String) {
  projects(projectType: $projectType) {
    __typename id slug name projectType description year posterUrl backdropUrl seasonCount
  }
}
"""

PROJECT = "query Project($slug: String!) { project(slug: $slug) { ...ProjectParts } }" + _PROJECT

# Descriptions of those that are not cached, and the user's state of all, in one request.
EPISODES = """
query Episodes($guids: [ID!]!, $watched: [ID!]!, $withWatchData: Boolean!) {
  episodes(guids: $guids) { ...EpisodeParts }
  watch: episodes(guids: $watched) @include(if: $withWatchData) { __typename id ...WatchParts }
}
""" + _EPISODE + _WATCH

RESUME_WATCHING = """
query ResumeWatching($first: Int!, $after: String) {
  resumeWatching(first: $first, after: $after) {
    edges { node { ...EpisodeParts ...WatchParts project { ...ProjectParts } } }
    pageInfo { hasNextPage endCursor }
  }
}
""" + _EPISODE + _WATCH + _PROJECT

EPISODE_SOURCE = "query EpisodeSource($guid: ID!) { episode(guid: $guid) { __typename id source { url } } }"

MARK_WATCHED = (
    "mutation MarkWatched($guid: ID!, $watched: Boolean!)"
    " { markWatched(guid: $guid, watched: $watched) { __typename id ...WatchParts } }" + _WATCH
)

REMOVE_FROM_RESUME = (
    "mutation RemoveFromResume($guid: ID!) { removeFromResume(guid: $guid) { __typename id ...WatchParts } }" + _WATCH
)
