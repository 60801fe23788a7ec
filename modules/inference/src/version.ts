/** Of the module, as it reports itself and in its API. */
export const VERSION = '0.1.0';
