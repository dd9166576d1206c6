--- Maps the keys of the option `keys`. While no suggestion is visible, a key keeps its earlier function.
local config = require('ondol.config')
local M = {}

local mapped = {} ---@type table<string, table|false> the mapped keys, each with the mapping that it replaced

local function run(action)
  local actions = require('ondol.actions')
  if action == 'accept' then
    return actions.accept('all')
  elseif action == 'accept_word' then
    return actions.accept('word')
  elseif action == 'accept_line' then
    return actions.accept('line')
  elseif action == 'dismiss' then
    return actions.dismiss()
  elseif action == 'next' then
    return actions.cycle(1)
  elseif action == 'previous' then
    return actions.cycle(-1)
  end
  actions.trigger()
  return true
end

--- The earlier function of a key, as keys to type: the key itself, or the replaced mapping under another name.
local function earlier_function(key, action)
  local old = vim.fn.maparg(key, 'i', false, true)
  if vim.tbl_isempty(old) or old.buffer == 1 then
    mapped[key] = false
    return key, 'n'
  end
  mapped[key] = vim.deepcopy(old)
  local plug = '<Plug>(ondol-before-' .. action .. ')'
  old.lhs, old.lhsraw, old.lhsrawalt = plug, vim.api.nvim_replace_termcodes(plug, true, true, true), nil
  vim.fn.mapset('i', false, old)
  return plug, 'm'
end

--- Maps the keys of the option `keys` and restores the mappings of earlier calls.
function M.apply()
  for key, old in pairs(mapped) do
    pcall(vim.keymap.del, 'i', key)
    if old then
      vim.fn.mapset('i', false, old)
    end
  end
  mapped = {}
  for _, action in ipairs(config.actions) do
    local key = config.options.keys[action]
    if key then
      local fallback, mode = earlier_function(key, action)
      local is_tab = vim.api.nvim_replace_termcodes(key, true, true, true) == '\t'
      vim.keymap.set('i', key, function()
        -- Tab indents a blank line if the suggestion begins with indentation.
        local indents = is_tab and action == 'accept' and require('ondol.actions').only_indents()
        if indents or not run(action) then
          vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(fallback, true, true, true), mode .. 'i', false)
        end
      end, { desc = 'Ondol: ' .. action:gsub('_', ' ') })
    end
  end
end

return M
