export const DIRECTIONS = ['in', 'out'] as const;
export const RULE_ACTIONS = ['accept', 'drop'] as const;
export const RULE_PROTOCOLS = ['any', 'tcp', 'udp', 'icmp'] as const;
