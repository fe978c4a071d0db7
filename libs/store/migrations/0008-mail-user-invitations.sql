-- Mails to invited users go out after the commit, from these rows, until a mail server has them.

alter table user_invitations
  -- Null until a mail server, or the outbox, took the mail.
  add column mailed_at timestamptz,
  add column mail_attempts integer not null default 0,
  -- No process takes the row up before: the lease of one that is sending, or the pause after a failure.
  add column mail_due_at timestamptz not null default now();
create index user_invitations_unmailed on user_invitations (mail_due_at) where mailed_at is null and accepted_at is null;

-- To end what is open: the user goes, or is invited anew.
grant update (expires_at) on user_invitations to aqueduct_api;
grant select, insert, update (expires_at) on user_invitations to aqueduct_operator;
