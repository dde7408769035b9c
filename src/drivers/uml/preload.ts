import { inflateRawSync } from 'node:zlib';

/** `preload.c`, compiled as it says, and deflated. */
const CODE =
  '7VhtbFNVGD7t2q3AWLsBssE+mrgFF7W0Y2A7PlyhwLlJEfkwMcIybz/mGrp2aW9HUSMsZWaHpsoPf2j8Q0iM/CQaSdUflhUdYEwKGF1G' +
  'TIiJujEgEANsfOx6zr3nrPfebOAP/bc36X3Px/u85znv+96bnnN4q3ebXqcDTErAJlDsAdBOddaiHHMCI35WAotkawRzy2CZWgPqh+BK' +
  '8e9Ehdw/Ua/WYUrimluN01PcKYo7Va/W7Tq1NlH4rj+EQCn498K2uxvjDE/g+aZOrXUzcZS5sn3qDAuBxQQ8ejpPfLZZX/jqs6qPll0/' +
  'eqz2WEP4i0r0ybtz8TEpOCnFhn9VoAwcp5vLgSIPMn66RO4bKbF6Ot5Ok4aofRMdL9Dxb+l4DR3PGeR+gi3cK8R4fxB0dgZjsUi0Mxz1' +
  '80IoGgEHQuEwiAu8sK4V9B6MhYQgbnTxYcmAtNXxY/kpsMBYZVWmiKVSxLVtdfjZtAE/zQ3tuEX63WRq/JooinvcaAqiv7c6LsPMxigm' +
  'nSXEcS91oxpmhMZBsxEO5JJ73akp3XuvuDPuaW9mi8mb2Zu3wMzandjYm1m830CcHyFOubTFkZtY0mVuOCqtD1M5HUxNLhHqzWdqS521' +
  'euEml8qZdrgKiZ9h6lz1vjw29WC7tKcx+7WTIM6ObXCbzxh0g5uXfLMUEM9snks74ZXJ1Lghdc0smxiWw9QQXuDBs4nfqF/zQBLva+Kk' +
  '7HcPhwocuujJ7BTxlqz9onEzTkoz7H+gxxFMWLOLyXYvmE9y6d0mN7rqdY3GF/U/JO9xn9/cAKD/HvSLePf6vsZsENt60RAOCcrjqJgH' +
  'P5B2eM4K0ci+vLQejkyjSWU4hqZFEQ5cTQZgen+jaZiGhYIcOZipW1ULwMQCCU9oOC5AVyFexqWrzGfK9YPlJSSIXtdI7HfY33SfpLNE' +
  'XsgC0f5Gixc/qsf34E1jvmMr8Wr3r6JqOJzHI+J4B350ddlYPki+3eh2aro0UZcSdYlqx2Wc++wqwgn9CtEvmHNqUic0cP7bnH+KzG2S' +
  'CoJtOllHdgqyf+HR794n6TFOXCn6H/v0sSi60aj7/qgHWbKEAk5xcZ44NDCHmcWPcc1yaGiiqlgvUjorhWdwfiudhuXCzR0Dl5M2Dyrk' +
  'Sf3iTuIWlPyKOAzQtc1+uAJm2UcCom12Ry5PqteLcCbGyjEdbxq3FIRI3eVpvb6GswvRXQ5dwpUyCdGPsP/Gx3h8/cYVKwAQkhD9SSgb' +
  'GWUcgJWkFu0eZJysIUEzNmND2DzCuc4ebubQaLZKiuUtL7o4EzMO9p8jXvd1sHXH4o9EcRjUElt5Dg7npGh1SPuEaeMl4r75PHQNmT9M' +
  'SCVN8rv+kZzfifNSvRD+bnQHop9k/ldm+L9R8zT+Tpl/SFpnBLq+x/z9dzh0PVunIzOjT+L/5UMN/yxlz95nY6XktwBdZ5X833ko85fM' +
  'Jz5f3RcNJ3qCqwOh+AFbjD8IfOEDgWBfLx8T4hsTvgDfZk8Cu6NlTevadS85XbzPHwh2gXmZl3mZl3mZl3lRCjsX1GjODSuB+vxwd1qM' +
  'Ev06PTSwM6mT4tnZ7zidX0j7bVQvorpacX6T/hc0FM+dyvmloHhOIbKc+derx5N6NU+GX6DpT4kyf93/FEd2PtbKD5Qf+feyfcuWNutz' +
  'nqAvxEesjhZbi83+oqP1+UDQ52hJOJrpED5zxrvjQkzgfcD2ViRh6+bj3cAWOBSJH+qRtRADtlgwzJMObfWGBWATgkn8jEUDvMADW7C7' +
  'syvG9wSBLRQJCZ18LMYfkvB8T8iPXUcFGSVb++JxYPNHe3qCEeE/iAfJ9z0cc5ZXVjdMO4E67yYNfhn1odfUFdOnFHWkmyX/dYo7AmWd' +
  'Mt2mWU9bF030DkGvqTOmq+fgz8ZXU/xmTd0enwVfPgu+VXG3QeS0Xq2tc9ynMO3S4Nl7zvQRw+x4Ji9TfAvtv1qm1uvmiB/T22lbP9c9' +
  '1Sz3L0rZhX8Viu/EzL1Qxez2Jo3uoHsv0byf7F6L3V+VaHAsDl2Uv/Y7NWaePf7a9aMavIkCTJbi/ZRStP0E9cXw7RRfTvHt7Wp7TRe8' +
  'Tde3a8YZftVT8qfkrpQ1FJ96yvvzDw==';

/** The shared object that is preloaded into the program. */
export const preload = (): Buffer => inflateRawSync(Buffer.from(CODE, 'base64'));
