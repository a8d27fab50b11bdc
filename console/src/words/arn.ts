/** `…:kind/<name>/<rest>` → name: what people call a resource of App Runner. */
export function resourceName(arn: string): string {
  return arn.split('/')[1] ?? arn;
}
