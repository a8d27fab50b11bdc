/** The regions of App Runner at AWS, by the names they have there. */
const places: Readonly<Record<string, string>> = {
  'us-east-1': 'US East (N. Virginia)',
  'us-east-2': 'US East (Ohio)',
  'us-west-2': 'US West (Oregon)',
  'ap-northeast-1': 'Asia Pacific (Tokyo)',
  'ap-south-1': 'Asia Pacific (Mumbai)',
  'ap-southeast-1': 'Asia Pacific (Singapore)',
  'ap-southeast-2': 'Asia Pacific (Sydney)',
  'eu-central-1': 'Europe (Frankfurt)',
  'eu-west-1': 'Europe (Ireland)',
  'eu-west-2': 'Europe (London)',
  'eu-west-3': 'Europe (Paris)',
};

/** The regions to choose from: the installation's own first. */
export function regions(own: string): { code: string; place: string }[] {
  const codes = [own, ...Object.keys(places).filter((code) => code !== own)];
  return codes.map((code) => ({ code, place: places[code] ?? 'This installation' }));
}
