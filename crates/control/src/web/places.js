// Where an app takes the address of its media server.

/** By app: which servers it speaks to, where the address is entered, and what to mind. `url`, `host` and `port` are Greenroom's. */
const PLACES = [
  [
    "Tautulli",
    ["plex"],
    ({ host, port }) =>
      "Settings, Plex Media Server: hostname " +
      host +
      ", port " +
      port +
      ". Tick Manual Connection, untick Use Secure Connection, then Verify Server.",
  ],
  ["Kometa", ["plex"], ({ url }) => "config.yml, below plex: url: " + url],
  [
    "Overseerr, Seerr",
    ["plex"],
    ({ host, port }) =>
      "Settings, Plex: choose Manual configuration, hostname " +
      host +
      ", port " +
      port +
      ", Use SSL off. The other entries of the list lead past Greenroom.",
  ],
  [
    "Overseerr, Seerr",
    ["jellyfin"],
    ({ url }) => "Settings, Jellyfin: the Internal URL is " + url + ". The External URL stays as it is.",
  ],
  [
    "Home Assistant",
    ["plex"],
    ({ host, port }) =>
      "Add integration, Plex, Configure Plex server manually (with Advanced mode on): host " +
      host +
      ", port " +
      port +
      ", no SSL certificate.",
  ],
  ["Home Assistant", ["jellyfin"], ({ url }) => "Add integration, Jellyfin: URL " + url],
  [
    "Homepage",
    ["plex", "jellyfin"],
    ({ url }) => "services.yaml, in the widget: url: " + url + ". The href that people click stays the server's own.",
  ],
  ["PlexTraktSync", ["plex"], ({ url }) => "servers.yml, first and only entry of urls: " + url],
  [
    "Sonarr, Radarr",
    ["plex", "jellyfin"],
    ({ host, port }) => "Settings, Connect: host " + host + ", port " + port + ", Use SSL off.",
  ],
  ["cmdarr", ["plex"], ({ url }) => "PLEX_URL=" + url],
  ["cmdarr", ["jellyfin"], ({ url }) => "JELLYFIN_URL=" + url],
  ["komandorr", ["plex"], ({ url }) => "Settings, Plex: Server URL " + url],
  [
    "PlexKodiConnect",
    ["plex"],
    ({ host, port }) =>
      "Add-on settings, Connection, Manually enter Plex Media Server address: " +
      host +
      ", port " +
      port +
      ", and no to HTTPS.",
  ],
  ["jellyfin-kodi", ["jellyfin"], ({ url }) => "Manually add server: " + url],
  [
    "Anything built on PlexAPI",
    ["plex"],
    ({ url }) => 'PlexServer("' + url + '", token). MyPlexAccount(…).resource(…) leads past Greenroom.',
  ],
  [
    "The official Plex apps",
    ["plex"],
    () => "They take no address, ask plex.tv where the server is, and go on working past Greenroom.",
  ],
];

/** The places for a server of this kind at this address, as pairs of app and place. */
export function placesFor(kind, url) {
  const { hostname: host, port } = new URL(url);
  return PLACES.filter(([, kinds]) => kinds.includes(kind)).map(([app, , where]) => [app, where({ url, host, port })]);
}
