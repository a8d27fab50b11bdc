import { blank, type ServiceForm } from '../service-form/form';
import { isPublicImage } from '../service-form/limits';

/**
 * The form that a link opens: `/console/services/create?image=<URI>`, with `port` and `name` if the page that links knows them. Nothing is
 * created before the person has gone through the steps.
 */
export function formOfLink(query: URLSearchParams): ServiceForm {
  const image = query.get('image')?.trim() ?? '';
  if (image === '') return blank;
  return {
    ...blank,
    kind: 'image',
    provider: isPublicImage(image) || image.startsWith('public.ecr.aws/') ? 'ECR_PUBLIC' : 'ECR',
    imageUri: image,
    port: query.get('port')?.trim() ?? blank.port,
    name: query.get('name')?.trim() ?? '',
  };
}
