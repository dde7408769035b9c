import { inflateRawSync } from 'node:zlib';

/** `preload.c`, compiled as it says, and deflated. */
const CODE =
  '7VhvTFvXFb82tjEk4TmEDHeBwBSyFrVxcJq0Ni0ZL3XgPslZlxC2SQmlD/8ZXgxm9jOFbVpghokbyx2q9qGV9qGqNC3ap6nSmJcPG8FZaDJFYkRbM7JJ0bSl' +
  'dkiaZOpaSDbezn3vPmy/mW4f+pEjcc+7f37nnHv+XHPv2aPeDqPBgDQqQ4dRvodQO+NpW+GYC5mh3Y5syloz2pimKoo5YnIozgJ/b1ep/bd3F/MwM+LW8WKc' +
  'keHOM9z53cW83VDMrQx+/O+S34L+f9K2ewJwpk+x81VDMTes+1G1VdunwVSJbFbkMbJ5KrO18Zlf/KT6RzvvTJyrO9cQfnc7eeu7G9ljLbCpkBzwV43K0Rjb' +
  '6CzK20HHF0xq38wM283GX2XOIGz9Xjb+gI2fY+ufYOO3WJDjmuIhKSr6Aqi3NxCNDkZ6wxGfKIUig+hMKBxGMUmUnjuIhl6LhqQAfATFsLKAfhf7T4vPguaY' +
  'RpWVF/iykORDrfXQ7n0RWq6hHb5ov59O5W7Jssx38ye7cWofDXYXTty1e1P+pqmEbOBefwPkpTrXvKkOq4f75b7vwwqcesV2jMwJ5KI3VZfBqbbDyuChDpAZ' +
  '5Bo8CAnJSufsci10JhT9ODFrwIkVKzfxBvS4mZpyV41BygmJOesx91J84ahzcazNUk/nJnaCQudiuhwYnp//MVjHmdM0Hpjc95LbnBlPzo60fjlV8ztQeQ0c' +
  '7E1tWzKr+xKSNtC7ZZrp2yENczN1FledUbonJGZB10L8zzhxyX6qhz/N92TW7QPQDoqfqrEo0LZHHEJSBTdz0mCdWIxnqaGXTZb9lz0WQxAaYxyasnDQQ8IW' +
  'E+yAm6wEO3OHqLF0/zjpaUr/ykWNvph9kedmTIapIzsu1NANrs8LSRe+vpLImRK3OHWJqRYn5sDwR3vif2H2cpNPUcmd0ChOcC7mPlqTZcVhf9gFA1KzcxEc' +
  'cRW+P8VnOUtewPrYP0CQGq8ugSwI5Kon9bIM0W8cl81HIGmb8fgjI2RYvDG9jSKvcO8IyRNWntz0updiW8Yf03Nu2Mc1IOz7GPtkPrFqHG5KB2Ctl8xBoEgG' +
  'YsVNva5kwKVGTG6cyij6vKmTTdaihdnQv2UZT94c8ePk6SbrPEsbBnLO4lR9+dMILVew/DphdV7B7oVYuZCs5ma2Gqe2ltHIed03on/F43vffwbSvUxVZMPk' +
  'dJPNC40916VECGUf/0uWP7lJ7Hg+I1P/9kATDDq0fOjiySpPHiTWLPF6qIK43bkIHk8/qXj0fUz+CDYnVgxSg+B7IPhW6dxhxbfapkfq6U5R+gMY/c0PaNjN' +
  'y9fz8rPfAf08WeI/WfIQW5qacCpToJ8KNGkCU9uuQRAEMrdcna8nJU22S5+DvNnuMtVK945NLo44PGQhQ/MYOvEPsSJXBjdgd0fL2Sqc1g5RTDpanLMZpdAJ' +
  'RCJ797Ese5PwVWAQrRMQNkYh/NeUBLnCf5Xv9vru8ycF8lF3l5cs4/G7b8K854V9D+2Qi52Y3Ka2mxXbveS+Wq3tNN9bSP01O/WfeQ2Yt/k9wT37vS9mvwWq' +
  '51Ed3ZQai2UcnMZJ85/o2ub3sHvu7M+mj5Gr6WolW2jq4nlTE1JzB897mqxj796uUh2fWPmbtAeyiJu6TAWOX3pTidgNtd75V/heNf/G2t6y09p5nr8wBjWT' +
  'NuQL5wKPKulhNmqnQcNknm6AU+NfpkiD4AvkA/7Xe5RqVvzjvHeUbveBl8iYfIjJHSg/ai/YrZq8Xg/Uwt+PtX3erpx1x2WllNXCJXeYCaD9cS3VnnNCL/vy' +
  'IzVXczfX67WbVht5iMk1qNwVTK6zOLzQ9k0ASiNFYVBjsEuJgYeYca0ShFHKmm9g92/PNgu+hwK5k65XrFhaz2GBOfBUj5YH2czqerTUOTV3laNUOdfMX1Dk' +
  'LmD3Re6HcRrOd2i9JVfVPSjLl3+6fzgSjg8E9vtDsTOOqPgaig+Ee/2haBvqC5/xB4aHxKgUa4v3+cXWlhHU4jzw7MFDzz3vcot9Pn8gCP/noE3apE3apE0q' +
  'Rdq94AndvWEXKr4//HNNjlD+dXZp0O6kLobX7n7TbL6S9VsZ38K4veD+pvxONOTvnYXzNSh/T6FUq8k3Fo+PGIvt1PAVuj78qkTQBneez4K0+7GeLjP76K9Z' +
  '50svtTY+5Qn0hcTBRucBxwFHyz7nwaf9gT7ngbizmQ3BnTPWH5OiktiHHN8YjDv6xVg/cvhHB2OjAyqXosgRDYRF2mFfQ2EJOaTACLTRiF+UROQI9PcGo+JA' +
  'ADlCgyGpV4xGxVEFLw6EfCA6IqkodXVfLIYcvsjAQGBQ+gz8QeP9Mfhci6uWNxp3oeK4W3X4nUyGUZdXGj9fkEeGEvGvL3gjKMxTjbfq9OnzYi97QzDq8kzj' +
  '9g3s18b3M/wRXd5Ol8BvLYE/WPC2QennxmLeuMF7isbdOrxW5xofspTGa/Qlhtf2115RzI/o1ht1/U4d/r/eqUq8vxQSfZaqKjgn1t+Fqkqvt+p4D9t7ma4+' +
  'tXct7f2qTIfT/BBk9uvPqSxX2v96/REd3soAVlv+faqQ9P04k6Xh2xl+K8O3f6V4fbsO/22mv0U3ruGf3CD/C3lZiTg9y/CJ/1E//wE=';

/** The shared object that is preloaded into the program. */
export const preload = (): Buffer => inflateRawSync(Buffer.from(CODE, 'base64'));
