import type { Help } from '../../shell/page';

export const help: Help = {
  header: 'Access keys',
  content: (
    <>
      <p>An access key lets programs call the APIs as you. A user can have two, so that one can be replaced while the other is in use.</p>
      <p>The secret is shown once, when the key is made. Keep it in a password manager or in a file that only you can read. Delete a key that somebody else may have seen.</p>
      <p>Root should have no keys besides the first: make a user with the rights that are needed, and a key for that.</p>
    </>
  ),
};
