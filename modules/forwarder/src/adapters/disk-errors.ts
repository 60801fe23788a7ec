export const codeOf = (error: unknown): string => String((error as { code?: unknown }).code);

/** From SQLite, from a file beside the database, or from here. */
export const isDiskFull = (error: unknown): boolean =>
  ['SQLITE_FULL', 'ENOSPC', 'EDQUOT', 'FWD_DISK_FULL'].includes(codeOf(error));

/** What SQLite, or the system, says of a disk that does not do what it should. */
export const isDiskFailure = (error: unknown): boolean =>
  /^(SQLITE_(IOERR(?!_SHORT_READ)|CANTOPEN|READONLY)|EIO$|EROFS$)/.test(codeOf(error));
